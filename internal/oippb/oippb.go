// Package oippb is the Open Inference Protocol (KServe v2) over gRPC: the
// generated messages and service, their conversion from and to tensors, and a
// codec that does not copy tensors more often than it must.
package oippb

//go:generate go build -o .bin/ google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc
//go:generate protoc -I . --plugin=.bin/protoc-gen-go --plugin=.bin/protoc-gen-go-grpc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative open_inference_grpc.proto
//go:generate rm -r .bin
