//go:build !unix

package http1

import "time"

func cpuTime() time.Duration { return 0 }
