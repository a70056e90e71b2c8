// Package examples holds the example applications: as folders to read and deploy, and inside the binary for `newel demo`.
package examples

import "embed"

// FS has one folder an example.
//
//go:embed order-fulfilment/*.yaml order-fulfilment/*.json order-fulfilment/check/*.py
//go:embed carnation/*.yaml carnation/*.json carnation/nested/*.yaml carnation/functions/*.py
//go:embed batch/*.yaml batch/*.json batch/grade/*.py
//go:embed handson/*.yml handson/*.yaml handson/*.py
var FS embed.FS
