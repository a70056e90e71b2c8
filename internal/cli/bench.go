package cli

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/newel-run/newel/bench"
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
	return cmd
}
