// The echo server that Troupe's is compared with, written for Go.
package main

import (
	"fmt"
	"net"
	"os"
)

// Not io.Copy: that moves bytes through a pipe, which costs more than it saves for small messages.
func echo(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, 65536)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if _, err = conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("listens on %s\n", listener.Addr())
	for {
		if conn, err := listener.Accept(); err == nil {
			go echo(conn)
		}
	}
}
