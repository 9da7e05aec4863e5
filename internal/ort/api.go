package ort

import (
	"fmt"
	"reflect"
	"strconv"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Versions of the OrtApi table, which only ever grows at its end.
const (
	apiVersion      = 17 // of the functions in use; ONNX Runtime 1.17 and later have it
	hasShapeVersion = 24 // of TensorTypeAndShape_HasShape
	hasShapeIndex   = 390
)

// Kinds of foreign objects are told apart by name only.
type (
	handle uintptr // address of an object of ONNX Runtime; 0 is none
	status uintptr // OrtStatus*; 0 is success
)

// functions are those of the OrtApi table in use. The tag is the index in the
// table, which is part of its ABI; the types follow onnxruntime_c_api.h, where
// size_t is uintptr here and an enum is int32.
type functions struct {
	GetErrorCode    func(status) int32  `index:"1"`
	GetErrorMessage func(status) string `index:"2"`
	ReleaseStatus   func(status)        `index:"93"`

	CreateEnv                      func(severity int32, logID string, out *handle) status `index:"3"`
	CreateCPUMemoryInfo            func(allocator, memory int32, out *handle) status      `index:"69"`
	AllocatorFree                  func(allocator handle, memory unsafe.Pointer) status   `index:"76"`
	GetAllocatorWithDefaultOptions func(out *handle) status                               `index:"78"`

	CreateSessionOptions             func(out *handle) status                       `index:"10"`
	SetSessionExecutionMode          setOption                                      `index:"13"`
	SetSessionGraphOptimizationLevel setOption                                      `index:"23"`
	SetIntraOpNumThreads             setOption                                      `index:"24"`
	SetInterOpNumThreads             setOption                                      `index:"25"`
	AddSessionConfigEntry            func(options handle, key, value string) status `index:"130"`
	ReleaseSessionOptions            func(handle)                                   `index:"100"`

	CreateSession            func(env handle, path string, options handle, out *handle) status               `index:"7"`
	CreateSessionFromArray   func(env handle, model *byte, size uintptr, options handle, out *handle) status `index:"8"`
	SessionGetInputCount     getCount                                                                        `index:"30"`
	SessionGetOutputCount    getCount                                                                        `index:"31"`
	SessionGetInputTypeInfo  getPortType                                                                     `index:"33"`
	SessionGetOutputTypeInfo getPortType                                                                     `index:"34"`
	SessionGetInputName      getPortName                                                                     `index:"36"`
	SessionGetOutputName     getPortName                                                                     `index:"37"`
	ReleaseSession           func(handle)                                                                    `index:"95"`

	Run func(session, options handle, inputNames **byte, inputs *handle, inputCount uintptr,
		outputNames **byte, outputCount uintptr, outputs *handle) status `index:"9"`

	GetOnnxTypeFromTypeInfo       func(info handle, out *int32) status                `index:"56"`
	CastTypeInfoToTensorInfo      func(info handle, out *handle) status               `index:"55"`
	GetTensorElementType          func(info handle, out *int32) status                `index:"60"`
	GetDimensionsCount            getCount                                            `index:"61"`
	GetDimensions                 func(info handle, out *int64, count uintptr) status `index:"62"`
	ReleaseTypeInfo               func(handle)                                        `index:"98"`
	ReleaseTensorTypeAndShapeInfo func(handle)                                        `index:"99"`

	CreateTensorAsOrtValue func(allocator handle, shape *int64, rank uintptr, elements int32, out *handle) status `index:"48"`
	IsTensor               func(value handle, out *int32) status                                                  `index:"50"`
	HasValue               func(value handle, out *int32) status                                                  `index:"192"`
	GetTensorMutableData   func(value handle, out *unsafe.Pointer) status                                         `index:"51"`
	GetTensorTypeAndShape  func(value handle, out *handle) status                                                 `index:"65"`
	ReleaseValue           func(handle)                                                                           `index:"96"`

	CreateTensorWithDataAsOrtValue func(memory handle, data *byte, size uintptr,
		shape *int64, rank uintptr, elements int32, out *handle) status `index:"49"`

	GetStringTensorDataLength           getCount                                                                             `index:"53"`
	GetStringTensorContent              func(value handle, text *byte, size uintptr, offsets *uintptr, count uintptr) status `index:"54"`
	GetResizedStringTensorElementBuffer func(value handle, index, size uintptr, out *unsafe.Pointer) status                  `index:"252"`

	// hasShape tells an unknown rank from a scalar; nil before version 24.
	hasShape func(info handle) bool
}

// Signatures that several functions share.
type (
	setOption   func(options handle, value int32) status
	getCount    func(of handle, out *uintptr) status
	getPortType func(session handle, index uintptr, out *handle) status
	getPortName func(session handle, index uintptr, allocator handle, out *unsafe.Pointer) status
)

// base is OrtApiBase.
type base struct{ getAPI, getVersion uintptr }

// bind fills in the functions, given OrtGetApiBase.
func bind(getBase uintptr) (version string, _ *functions, _ error) {
	var (
		get        func() *base
		getVersion func() string
		getAPI     func(version uint32) *[hasShapeIndex + 1]uintptr
	)
	purego.RegisterFunc(&get, getBase)
	b := get()
	purego.RegisterFunc(&getVersion, b.getVersion)
	purego.RegisterFunc(&getAPI, b.getAPI)

	version = getVersion()
	newest, err := minor(version)
	if err != nil {
		return "", nil, err
	}
	if newest < apiVersion {
		return "", nil, fmt.Errorf("it is version %s: use 1.%d or later", version, apiVersion)
	}
	table := getAPI(apiVersion)
	if table == nil {
		return "", nil, fmt.Errorf("version %s does not have version %d of its API", version, apiVersion)
	}
	f := &functions{}
	f.register(table[:])
	if newest >= hasShapeVersion {
		purego.RegisterFunc(&f.hasShape, getAPI(hasShapeVersion)[hasShapeIndex])
	}
	return version, f, nil
}

func (f *functions) register(table []uintptr) {
	fields := reflect.ValueOf(f).Elem()
	for i := range fields.NumField() {
		index, err := strconv.Atoi(fields.Type().Field(i).Tag.Get("index"))
		if err != nil {
			continue // not one of the first table
		}
		purego.RegisterFunc(fields.Field(i).Addr().Interface(), table[index])
	}
}
