# Two sites from one module, joined by a line between them: each site exports its
# uplink, the board that the line ends at.

module "site" {
  source   = "./modules/site"
  for_each = local.sites

  name   = each.key
  subnet = each.value.subnet
  boards = each.value.boards
}

locals {
  sites = {
    harbour = { subnet = "10.1.0.0/24", boards = 3 }
    depot   = { subnet = "10.2.0.0/24", boards = 2 }
  }
}

link "line" {
  between   = [module.site["harbour"].uplink, module.site["depot"].uplink]
  bandwidth = "300Mbps"
  latency   = "4ms"
}

model "containers" {
  source  = "../three-pis/classifier.onnx"
  gateway = module.site["harbour"].uplink
}

output "pictures_per_second" {
  value = model.containers.throughput

  precondition {
    condition     = model.containers.throughput > 100
    error_message = "The crane moves faster than that: add boards to a site."
  }
}

output "boards" {
  value = { for name, site in module.site : name => site.boards[*].address }
}
