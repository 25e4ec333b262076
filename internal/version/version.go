// Package version holds the version of this build.
package version

// Version is the version of this build, "dev" unless the linker sets it (-X ...internal/version.Version=v1.2.3).
var Version = "dev"
