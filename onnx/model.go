package onnx

type model struct{}
