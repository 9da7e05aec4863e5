# One site: some boards on a switch.

variable "name" {
  type = string
}

variable "subnet" {
  type = string

  validation {
    condition     = can(cidrhost(var.subnet, 1))
    error_message = "subnet is a network such as 10.1.0.0/24."
  }
}

variable "boards" {
  type     = number
  default  = 2
  nullable = false
}

ssh {
  user = "edge-${var.name}"
}

node "board" {
  count = var.boards

  address      = cidrhost(var.subnet, 10 + count.index)
  architecture = "linux/arm64"
  memory       = "256MiB"
  compute      = "1GFLOPS"
}

network "switch" {
  nodes     = node.board
  bandwidth = "940Mbps"
  latency   = "200us"
}

output "uplink" {
  value       = node.board[0]
  description = "The board that the line to the other sites ends at."
}

output "boards" {
  value = node.board
}
