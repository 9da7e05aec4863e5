boards = {
  hall   = { address = "hall.local", model = "pi4" }
  attic  = { address = "attic.local", model = "pi5" }
  cellar = { address = "192.168.1.20", model = "nuc" }
  shed   = { address = "shed.local", model = "pi4", enabled = false } # until spring
}
