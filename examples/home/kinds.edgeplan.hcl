# What the boards of the house can do, leaving room for what else they run.

locals {
  kinds = {
    pi4 = { memory = "256MiB", compute = "1GFLOPS", architecture = "linux/arm64" }
    pi5 = { memory = "512MiB", compute = "2.5GFLOPS", architecture = "linux/arm64" }
    nuc = { memory = "1GiB", compute = "3GFLOPS", architecture = "linux/amd64" }
  }
}
