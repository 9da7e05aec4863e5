package ort

import "testing"

// Messages are for people, who have no use for places in the engine's source.
func TestPlainMessage(t *testing.T) {
	tests := map[string]string{
		"Node (Add_0) Op (Add) [ShapeInferenceError] Incompatible dimensions": "Node (Add_0) Op (Add) [ShapeInferenceError] Incompatible dimensions",
		"/onnxruntime_src/onnxruntime/core/graph/model_load_utils.h:46 void onnxruntime::model_load_utils::ValidateOpsetForDomain(const std::unordered_map<std::string, int>&, bool) Opset 99 is under development.\n":                                                                "Opset 99 is under development.",
		"Exception during initialization: /onnxruntime_src/onnxruntime/core/providers/cpu/text/string_normalizer.cc:393 onnxruntime::Locale::Locale(const std::string&)::<lambda()> Failed to construct locale":                                                                       "Exception during initialization: Failed to construct locale",
		"Non-zero status code returned while running Gather node. /onnxruntime_src/onnxruntime/core/providers/cpu/tensor/gather.cc:89 onnxruntime::common::Status onnxruntime::GatherBase::PrepareForCompute(onnxruntime::OpKernelContext*) const indices element out of data bounds": "Non-zero status code returned while running Gather node. indices element out of data bounds",
	}
	for message, want := range tests {
		if got := plainMessage(message); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
