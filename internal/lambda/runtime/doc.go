// Package runtime runs Lambda functions as local processes.
//
// A worker is one process of one revision of one function. It talks the Lambda Runtime API (2018-06-01) with an HTTP
// listener of its own on loopback, which is how a request is known to be that worker's. It serves one invocation at a
// time: it asks for the next one, runs it, posts the response or the error, and asks again.
//
// The pool keeps idle workers warm, starts workers up to a cap, and above it lets invocations wait in the order in which
// they came. Invocations are not bound to the worker that was started for them: whichever worker of the function is idle
// first takes the oldest one.
//
// What can fail: a worker that exits, or whose init or invocation outlives its limit, fails the invocation that it
// serves (for init: the oldest one that waits) and nothing else; its whole process group is killed. Nothing here is
// durable: an invocation is lost with the server and it is the caller's business to make it again. Workers die with the
// server: on Linux by their parent-death signal, elsewhere (and for Python and Node everywhere) because the shim sees
// its control pipe end.
//
// All state of pool and workers is guarded by Pool.mu. Nothing is written to a worker's connection under the lock.
package runtime
