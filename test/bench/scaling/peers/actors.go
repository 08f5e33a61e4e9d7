// The actor benchmarks in Go, a goroutine and a channel for each actor: go_actors BENCHMARK SIZE
// GOMAXPROCS says how many threads. Prints the operations, the seconds, the seconds of CPU time and
// the result.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// What a channel of many messages holds before its senders wait.
const mailbox = 256

func pingPong(messages int64) (int64, int64) {
	left, right, done := make(chan int64), make(chan int64), make(chan int64)
	player := func(in <-chan int64, out chan<- int64) {
		for x := range in {
			if x == messages {
				done <- x
				return
			}
			out <- x + 1
		}
	}
	go player(left, right)
	go player(right, left)
	left <- 1
	return messages, <-done
}

func ring(hops int64) (int64, int64) {
	const members = 100
	done := make(chan int64)
	first := make(chan int64)
	in := first
	for i := int64(0); i < members; i++ {
		out := first
		if i < members-1 {
			out = make(chan int64)
		}
		go func(number int64, in <-chan int64, out chan<- int64) {
			for left := range in {
				if left == 0 {
					done <- number
					return
				}
				out <- left - 1
			}
		}(i, in, out)
		in = out
	}
	first <- hops
	return hops, <-done
}

func fanOut(deliveries int64) (int64, int64) {
	const subscribers = 1000
	rounds := deliveries / subscribers
	answers := make(chan int64, subscribers)
	to := make([]chan int64, subscribers)
	for i := range to {
		to[i] = make(chan int64, 1)
		go func(number int64, in <-chan int64) {
			for round := range in {
				answers <- round + number
			}
		}(int64(i), to[i])
	}
	sum := int64(0)
	for round := int64(1); round <= rounds; round++ {
		for _, subscriber := range to {
			subscriber <- round
		}
		for range to {
			sum += <-answers
		}
	}
	return rounds * subscribers, sum
}

func throughput(messages int64) (int64, int64) {
	const workers = 60
	rounds := messages / workers
	sums := make(chan int64, workers)
	to := make([]chan int64, workers)
	for i := range to {
		to[i] = make(chan int64, mailbox)
		go func(in <-chan int64) {
			sum := int64(0)
			for left := rounds; left > 0; left-- {
				sum += <-in
			}
			sums <- sum
		}(to[i])
	}
	for round := int64(1); round <= rounds; round++ {
		for _, worker := range to {
			worker <- round
		}
	}
	sum := int64(0)
	for range to {
		sum += <-sums
	}
	return rounds * workers, sum
}

func create(actors int64) (int64, int64) {
	collector := make(chan int64, mailbox)
	done := make(chan int64)
	go func() {
		sum := int64(0)
		for left := actors; left > 0; left-- {
			sum += <-collector
		}
		done <- sum
	}()
	for number := actors; number > 0; number-- {
		in := make(chan int64, 1)
		go func() { collector <- <-in }()
		in <- number
		if number%100 == 0 {
			runtime.Gosched()
		}
	}
	return actors, <-done
}

func spawn(actors int64) (int64, int64) {
	var sum atomic.Int64
	expected := actors * (actors + 1) / 2
	done := make(chan int64)
	for number := actors; number > 0; number-- {
		go func(number int64) {
			if sum.Add(number) == expected {
				done <- expected
			}
		}(number)
		if number%100 == 0 {
			runtime.Gosched()
		}
	}
	return actors, <-done
}

func cpu() float64 {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

func main() {
	benchmarks := map[string]func(int64) (int64, int64){
		"ping-pong": pingPong, "ring": ring, "fan-out": fanOut,
		"spawn": spawn, "create": create, "throughput": throughput,
	}
	if len(os.Args) == 3 && benchmarks[os.Args[1]] != nil {
		if size, err := strconv.ParseInt(os.Args[2], 10, 64); err == nil {
			cpuStart, start := cpu(), time.Now()
			operations, result := benchmarks[os.Args[1]](size)
			seconds, cpuSeconds := time.Since(start).Seconds(), cpu()-cpuStart
			fmt.Printf("%d %.9f %.9f %d\n", operations, seconds, cpuSeconds, result)
			return
		}
	}
	fmt.Fprintln(os.Stderr, "go_actors BENCHMARK SIZE")
	os.Exit(2)
}
