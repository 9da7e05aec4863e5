# Maintained by `edgeplan init`: the programs and engines it collected, by digest.
# Keep this file in version control, so that every operator puts the same files
# on devices. `edgeplan init -upgrade` accepts new ones.

engine "linux/amd64" {
  version = "1.24.3"
  sha256  = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
}

engine "linux/arm64" {
  version = "1.24.3"
  sha256  = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
}

worker "linux/arm64" {
  version = "0.1.0"
  sha256  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
}
