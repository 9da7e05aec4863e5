// Package onnxpb holds the protocol buffers of the ONNX specification.
package onnxpb

//go:generate sh -c "cd ../.. && go build -o internal/onnxpb/protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go && protoc --plugin=internal/onnxpb/protoc-gen-go --proto_path=internal/onnxpb --go_out=internal/onnxpb --go_opt=paths=source_relative onnx.proto; rm -f internal/onnxpb/protoc-gen-go"
