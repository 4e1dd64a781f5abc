// The process that holds a pod's namespaces: it waits until it is told to end.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		for {
			var status syscall.WaitStatus
			if _, err := syscall.Wait4(-1, &status, 0, nil); err != nil {
				children := make(chan os.Signal, 1)
				signal.Notify(children, syscall.SIGCHLD)
				<-children
				signal.Stop(children)
			}
		}
	}()
	<-ended
}
