package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"text/template"

	"golang.org/x/crypto/ssh"

	"github.com/edgeplan/edgeplan/config"
	"github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/internal/modelbuilder"
)

// demoSeed fixes the demo's model.
const demoSeed = 20

// demoImage makes one inference cost some milliseconds, so that computing and
// not passing messages is what the demo measures.
const demoImage = 64

// demoBed is the demo's three devices.
type demoBed struct {
	devices []demoDevice
}

// demoDevice is one embedded device.
type demoDevice struct {
	*device.Device
	name string
	home string
	host string
	port string
}

// demoHost is the address of a device: 127.0.0.11 is the first of network 0.
func demoHost(network, i int) string { return fmt.Sprintf("127.0.%d.%d", network, 11+i) }

// freeNetwork is the first network where no worker of another demo listens.
func freeNetwork() (int, error) {
	var last error
	for network := range 256 {
		if last = free(network); last == nil {
			return network, nil
		}
	}
	return 0, fmt.Errorf("no free addresses for the devices of the demo: %w", last)
}

func free(network int) error {
	for i := range 3 {
		for port := range 2 { // that of a release, and of the one that follows it
			l, err := net.Listen("tcp", net.JoinHostPort(demoHost(network, i), strconv.Itoa(config.DefaultPipelinePort+port)))
			if err != nil {
				return err
			}
			l.Close()
		}
	}
	return nil
}

// startDemoBed starts devices on 127.0.0.11 to .13, or in the next network where another demo runs, each with a home folder, and
// writes the client key and the known_hosts file that reach them.
func startDemoBed(dir string) (*demoBed, error) {
	key, err := writeClientKey(filepath.Join(dir, "id_ed25519"))
	if err != nil {
		return nil, err
	}
	network, err := freeNetwork()
	if err != nil {
		return nil, err
	}
	bed := &demoBed{}
	var knownHosts strings.Builder
	for i, name := range []string{"hall", "gate", "roof"} {
		started, err := startDemoDevice(dir, name, demoHost(network, i), key)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start embedded device %s: %w", name, err), bed.close())
		}
		bed.devices = append(bed.devices, started)
		fmt.Fprintf(&knownHosts, "[%s]:%s %s\n", started.host, started.port, started.HostKeyLine())
	}
	return bed, os.WriteFile(filepath.Join(dir, "known_hosts"), []byte(knownHosts.String()), 0o600)
}

func startDemoDevice(dir, name, host string, key ssh.PublicKey) (demoDevice, error) {
	home := filepath.Join(dir, "homes", name)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return demoDevice{}, err
	}
	started, err := device.Start(device.Options{Address: net.JoinHostPort(host, "0"), Home: home, AuthorizedKey: key})
	if err != nil {
		return demoDevice{}, err
	}
	_, port, err := net.SplitHostPort(started.Addr())
	return demoDevice{Device: started, name: name, home: home, host: host, port: port}, err
}

// writeClientKey makes the key pair that opens the devices.
func writeClientKey(path string) (ssh.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "edgeplan demo")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	return ssh.NewPublicKey(public)
}

func (b *demoBed) addresses() []string {
	var all []string
	for _, d := range b.devices {
		all = append(all, d.Addr())
	}
	return all
}

func (b *demoBed) close() error {
	var errs []error
	for _, d := range b.devices {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}

func writeDemoModel(dir string) error {
	options := modelbuilder.Demo()
	options.Image = demoImage
	model, err := modelbuilder.ResNet(demoSeed, options)
	if err != nil {
		return err
	}
	return model.WriteFile(filepath.Join(dir, "resnet.onnx"))
}

// defaultDemoCompute stands in until this machine has been measured.
const defaultDemoCompute = 1e9

var demoConfig = template.Must(template.New("demo").Parse(`# Written by edgeplan demo.

ssh {
  user          = "demo"
  identity_file = "{{.Dir}}/id_ed25519"
  known_hosts   = "{{.Dir}}/known_hosts"
}

locals {
  ports = { {{range $i, $d := .Devices}}{{if $i}}, {{end}}{{.Name}} = {{.Port}}{{end}} }
  hosts = { {{range $i, $d := .Devices}}{{if $i}}, {{end}}{{.Name}} = "{{.Host}}"{{end}} }
}

node "pi" {
  for_each = toset(["gate", "hall", "roof"])

  address      = local.hosts[each.key]
  port         = local.ports[each.key]
  architecture = "{{.Architecture}}"
  memory       = "256MiB"
  compute      = "{{.Compute}}FLOPS" # measured here: one thread, with all three computing at once
}

network "loopback" {
  nodes     = values(node.pi)
  bandwidth = "4Gbps"
}

model "resnet" {
  source  = "resnet.onnx"
  gateway = node.pi["hall"]
  threads = 1
}

output "throughput" {
  value = model.resnet.throughput
}
`))

// writeDemoConfig writes the configuration; compute is in FLOPs per second.
func writeDemoConfig(dir string, bed *demoBed, compute float64) error {
	type configDevice struct{ Name, Host, Port string }
	var devices []configDevice
	for _, d := range bed.devices {
		devices = append(devices, configDevice{d.name, d.host, d.port})
	}
	file, err := os.Create(filepath.Join(dir, "main.edgeplan.hcl"))
	if err != nil {
		return err
	}
	return errors.Join(demoConfig.Execute(file, map[string]any{
		"Dir": dir, "Devices": devices, "Architecture": "linux/" + runtime.GOARCH, "Compute": fmt.Sprintf("%.0f", compute),
	}), file.Close())
}
