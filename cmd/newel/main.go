// Command newel is AWS Step Functions anywhere: the server and its command line in one binary.
package main

import (
	"os"

	"github.com/newel-run/newel/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
