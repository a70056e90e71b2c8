package cli

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/bench"
	"github.com/newel-run/newel/internal/node"
)

func (a *app) benchCommand() *cobra.Command {
	var o bench.Options
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure this version on this machine", Args: cobra.NoArgs,
		Long: "Measure servers of this binary over HTTP and print beside each figure the machine's own limit. It takes some minutes.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			binary, err := os.Executable()
			if err != nil {
				return err
			}
			o.Binary, o.Out = binary, a.out
			return bench.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Dir, "dir", "", "folder on the disk to measure (default: the temporary folder)")
	f.StringSliceVar(&o.Jobs, "jobs", nil, "of J1 to J7 and Growth (default all)")
	f.DurationVar(&o.Duration, "duration", 5*time.Second, "length of each measurement of throughput")
	f.IntSliceVar(&o.Clients, "clients", []int{1, 16, 128}, "numbers of clients of J2 and J7")
	f.IntVar(&o.Waiting, "waiting", 10_000, "executions of J4")
	f.IntVar(&o.Grown, "waiting-grown", 50_000, "executions up to which J4 says what each costs in memory")
	f.IntVar(&o.WaitingMany, "waiting-many", 0, "executions with which J4 restarts a server, such as 1000000; takes minutes")
	f.IntVar(&o.Finished, "finished", 0, "finished executions of Growth, such as 1000000; takes minutes")
	f.StringVar(&o.Store, "store", "", "postgres://... database on which each job is run too")
	f.StringArrayVar(&o.Flags, "serve-flag", nil, "further flag of the servers, as --serve-flag=--limit=... (repeatable)")
	cmd.AddCommand(a.benchFillCommand())
	return cmd
}

func (a *app) benchFillCommand() *cobra.Command {
	var o bench.FillOptions
	cmd := &cobra.Command{
		Use: "fill", Short: "Measure reads among very many finished executions", Args: cobra.NoArgs,
		Long: "Write finished executions into a new data directory through the engine's store calls, without HTTP, and read random ones from a server\n" +
			"on it. Ten million take some minutes and several GiB of the disk, which are free again at the end.",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Binary, err = os.Executable(); err != nil {
				return err
			}
			o.Out, o.Open = a.out, openFilled
			return bench.Fill(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Dir, "dir", "", "folder on the disk to measure (default: the temporary folder)")
	f.IntVar(&o.Executions, "executions", 10_000_000, "executions to write")
	f.StringArrayVar(&o.Flags, "serve-flag", nil, "further flag of the server (repeatable)")
	return cmd
}

// filled is a server of this process that is filled.
type filled struct{ *node.Node }

func openFilled(ctx context.Context, data string) (bench.Store, error) {
	n, err := node.Start(ctx, node.Config{Listen: "127.0.0.1:0", Data: data})
	return filled{n}, err
}

// Fill implements bench.Store.
func (f filled) Fill(ctx context.Context, machineARN, input string, names []string) error {
	return f.States().Fill(ctx, machineARN, input, names)
}
