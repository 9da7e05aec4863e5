# A home cluster of unlike boards, wired and on Wi-Fi, whose links were measured
# with iperf3 and ping and written down in links.csv.

edgeplan {
  required_version = ">= 0.1"
}

variable "picture_latency" {
  type        = string
  default     = "500ms"
  description = "The longest that one picture may take from request to answer."
}

variable "boards" {
  description = "The devices, by the name of their place."
  type = map(object({
    address = string
    model   = string
    enabled = optional(bool, true)
  }))

  validation {
    condition     = alltrue([for b in var.boards : contains(["pi4", "pi5", "nuc"], b.model)])
    error_message = "A board's model is pi4, pi5 or nuc: those whose speed is known in kinds.edgeplan.hcl."
  }
}

ssh {
  user          = "pi"
  identity_file = "~/.ssh/id_ed25519"
}

node "board" {
  for_each = var.boards

  address      = each.value.address
  enabled      = each.value.enabled
  memory       = local.kinds[each.value.model].memory
  compute      = local.kinds[each.value.model].compute
  architecture = local.kinds[each.value.model].architecture
}

network "home" {
  nodes = values(node.board)
  links = csvdecode(file("links.csv"))

  precondition {
    condition     = length([for b in var.boards : b if b.enabled]) > 1
    error_message = "With fewer than two boards there is nothing to share. Enable another one in edgeplan.vars.hcl."
  }
}

model "doorbell" {
  source  = "../three-pis/classifier.onnx"
  gateway = node.board["hall"]

  require {
    latency       = var.picture_latency
    error_message = "The visitor will have left by then."
  }
}

output "pictures_per_second" {
  value = floor(model.doorbell.throughput)
}

output "ssh_commands" {
  value = { for name, b in node.board : name => "ssh -p ${b.port} ${b.user}@${b.address}" }
}
