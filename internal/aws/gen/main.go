// Command gen writes the tables of AWS's API models that package aws embeds.
//
// It reads the published models in their JSON form, one folder a service and version
// (DIR/<service>/<version>/service-2.json, service-2.json.gz or api-2.json), keeps the newest version of each service,
// drops documentation and what Newel never asks for, and writes one file: an index that names every service, followed by
// one compressed table a service, so that a process decodes only the services it uses. The format is described in
// package aws (models.go), which reads it.
//
//	go run ./internal/aws/gen -models DIR [-models DIR2] -o internal/aws/models.bin
//
// With several folders, a later one only adds services that the earlier ones lack. The output depends on nothing but
// the models, so that running it twice changes nothing.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

type dirs []string

func (d *dirs) String() string     { return strings.Join(*d, ",") }
func (d *dirs) Set(s string) error { *d = append(*d, s); return nil }

func main() {
	var models dirs
	flag.Var(&models, "models", "folder of `DIR`/<service>/<version>/service-2.json[.gz] or api-2.json; may be repeated")
	out := flag.String("o", "models.bin", "`file` to write")
	flag.Parse()
	if len(models) == 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(64)
	}
	if err := run(models, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(models []string, out string) error {
	sources, err := readAll(models)
	if err != nil {
		return err
	}
	for _, s := range sources {
		restore(s)
	}
	assignKeys(sources)
	b, err := encodeAll(sources)
	if err != nil {
		return err
	}
	fmt.Printf("%d services, %d bytes\n", len(sources), len(b))
	return os.WriteFile(out, b, 0o644)
}
