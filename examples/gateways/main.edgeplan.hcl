# Three hundred gateways of one kind, by count, on the radio network of a city
# district. The addresses follow from the number, and the first ones are faster.

variable "gateways" {
  type    = number
  default = 300

  validation {
    condition     = var.gateways >= 2 && var.gateways <= 500 && floor(var.gateways) == var.gateways
    error_message = "There are 2 to 500 gateways in a district, not ${var.gateways}."
  }
}

ssh {
  user        = "edge"
  known_hosts = "~/.ssh/district_known_hosts"
}

node "gateway" {
  count = var.gateways

  address      = cidrhost("10.64.0.0/16", 256 + count.index)
  architecture = "linux/arm64"
  memory       = "256MiB"
  compute      = count.index < 20 ? "2GFLOPS" : "1GFLOPS"
}

network "district" {
  nodes     = node.gateway
  bandwidth = "200Mbps"
  latency   = "5ms"
}

model "traffic" {
  source  = "../three-pis/classifier.onnx"
  gateway = node.gateway[0]

  solver {
    time_limit = "20s"
  }
}

output "counted_per_second" {
  value = model.traffic.throughput
}

output "first_addresses" {
  value = slice(node.gateway[*].address, 0, 2)
}
