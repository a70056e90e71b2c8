package postgres

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// process names this process for the lease: "HOST PID SYSTEM START". SYSTEM identifies this boot and the space in which the
// process has its number, START when it began, so that a process on the same system can tell for sure that it has
// ended. Both are "-" where the system does not say.
func process() string {
	host, err := os.Hostname()
	if err != nil {
		host = "-"
	}
	pid := os.Getpid()
	return fmt.Sprintf("%s %d %s %s", strings.ReplaceAll(host, " ", "_"), pid, system(), started(pid))
}

// ended tells whether a process is known to have ended. Of another machine's or container's nothing is known.
func ended(process string) bool {
	fields := strings.Fields(process)
	if len(fields) != 4 || fields[2] == "-" || fields[2] != system() || fields[3] == "-" {
		return false
	}
	pid, err := strconv.Atoi(fields[1])
	return err == nil && started(pid) != fields[3]
}

// people names a process for people.
func people(process string) string {
	fields := strings.Fields(process)
	if len(fields) < 2 {
		return process
	}
	return fmt.Sprintf("process %s on %s", fields[1], fields[0])
}

func system() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "-"
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "-"
	}
	return string(bytes.TrimSpace(boot)) + "/" + space
}

// started is when a process began, in ticks after the boot; "-" if there is none or it only waits to be buried.
func started(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "-"
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // from the state, which is the third field
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return "-"
	}
	return fields[19]
}
