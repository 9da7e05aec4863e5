# Three Raspberry Pis run one network as a pipeline: each computes a part of it,
# so that together they serve more pictures per second than one of them could.
#
#   edgeplan init     collect the worker and the engine
#   edgeplan plan     no device needs to be reachable for this one
#   edgeplan apply    needs the three devices

edgeplan {
  required_version = ">= 0.1"
}

variable "pictures_per_second" {
  type        = number
  default     = 100
  description = "The plan fails when the cluster cannot give this."
}

ssh {
  user          = "pi"
  identity_file = "~/.ssh/id_ed25519"
}

node "pi" {
  for_each = toset(["hall", "gate", "roof"])

  address      = "${each.key}.local"
  architecture = "linux/arm64"
  memory       = "256MiB"
  compute      = each.key == "roof" ? "1.5GFLOPS" : "1GFLOPS" # the one on the roof is a newer board
}

# The hall and the gate are wired; the roof is on Wi-Fi, where all transfers
# share one radio channel.
link "hall_gate" {
  between   = [node.pi["hall"], node.pi["gate"]]
  bandwidth = "94Mbps"
  latency   = "1ms"
}

network "wifi" {
  nodes     = values(node.pi)
  bandwidth = "40Mbps"
  latency   = "3ms"
  shared    = true
}

model "classifier" {
  source  = "classifier.onnx"
  gateway = node.pi["hall"]

  require {
    throughput = var.pictures_per_second
  }
}

output "pictures_per_second" {
  value = model.classifier.throughput
}
