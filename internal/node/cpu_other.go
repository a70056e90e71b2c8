//go:build !unix

package node

func cpuSeconds() float64 { return 0 }
