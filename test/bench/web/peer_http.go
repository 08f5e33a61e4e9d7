// Answers every request with 13 bytes, with net/http: peer_http_go. One thread of Go runs at a time (GOMAXPROCS=1).
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	body := []byte("Hello, world!")
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.Write(body) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("listens on %s\n", listener.Addr())
	http.Serve(listener, nil)
}
