// Package deployer carries out a plan over SSH and SFTP and records every step.
//
// On a device it keeps (docs/architecture.md):
//
//	<path>/key.pem                          the worker's private key, made on the device, 0600
//	<path>/blobs/sha256/<digest>            weights, graphs, engines, workers; shared by releases
//	<path>/<deployment>/releases/<id>/      manifest.json, peers.json, hard links to blobs
//	<path>/<deployment>/current             link to releases/<id>
package deployer
