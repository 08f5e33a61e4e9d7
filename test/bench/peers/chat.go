// The chat server that Troupe's is compared with, written for Go: a goroutine reads each
// connection, another writes what comes through the user's channel. With the argument `collected` the
// writer takes all that the channel holds and writes it at once.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
)

type user struct {
	name   string
	conn   net.Conn
	output chan []byte
}

type room struct {
	mutex sync.RWMutex
	users map[string]*user
}

func (r *room) join(u *user, name string) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if _, taken := r.users[name]; taken {
		return false
	}
	u.name = name
	r.users[name] = u
	// Within the lock: what others say comes after it.
	u.output <- []byte("Welcome, " + name + "!\r\n")
	return true
}

func (r *room) leave(u *user) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if u.name != "" {
		delete(r.users, u.name)
	}
	close(u.output) // nobody publishes to it any more
}

func (r *room) publish(line []byte, from *user) {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	for _, u := range r.users {
		if u != from {
			u.output <- line
		}
	}
}

func (u *user) writeEach() {
	for line := range u.output {
		u.conn.Write(line) // who does not read any more is drained until it has left
	}
	u.conn.Close()
}

func (u *user) writeCollected() {
	var pending []byte
	for line := range u.output {
		pending = append(pending[:0], line...)
		for more := len(u.output); more > 0; more-- {
			pending = append(pending, <-u.output...)
		}
		u.conn.Write(pending)
	}
	u.conn.Close()
}

func (u *user) read(r *room) {
	defer r.leave(u)
	u.output <- []byte("What's your name?\r\n")
	input := bufio.NewReader(u.conn)
	for {
		line, err := input.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\r\n")
		if u.name != "" {
			r.publish([]byte("<"+u.name+"> "+line+"\r\n"), u)
		} else if !r.join(u, line) {
			u.output <- []byte("Name taken, please choose another.\r\n")
		}
	}
}

func main() {
	collected := len(os.Args) > 1 && os.Args[1] == "collected"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("listens on %s\n", listener.Addr())
	everybody := &room{users: map[string]*user{}}
	for {
		conn, err := listener.Accept()
		if err != nil {
			continue
		}
		u := &user{conn: conn, output: make(chan []byte, 256)}
		if collected {
			go u.writeCollected()
		} else {
			go u.writeEach()
		}
		go u.read(everybody)
	}
}
