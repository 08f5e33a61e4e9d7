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

// What the counter of counting gets: one more, or the question how many there were.
type count struct {
	answer chan<- int64
}

func counting(messages int64) (int64, int64) {
	to := make(chan count, mailbox)
	go func() {
		counted := int64(0)
		for message := range to {
			if message.answer != nil {
				message.answer <- counted
			} else {
				counted++
			}
		}
	}()
	for left := messages; left > 0; left-- {
		to <- count{}
	}
	answer := make(chan int64)
	to <- count{answer}
	return messages, <-answer
}

func fanIn(messages int64) (int64, int64) {
	const sources = 1000
	each := messages / sources
	to := make(chan int64, mailbox)
	for i := 0; i < sources; i++ {
		go func() {
			for left := each; left > 0; left-- {
				to <- left
			}
		}()
	}
	sum := int64(0)
	for left := sources * each; left > 0; left-- {
		sum += <-to
	}
	return sources * each, sum
}

// What creatures of chameneos tell each other, and the mall: who it is about, if anybody; and a
// colour. The mall asks for a report with a colour that there is not.
type meeting struct {
	other  chan meeting
	colour int64
}

const report = -1

func complement(mine, other int64) int64 {
	if mine == other {
		return mine
	}
	return 3 - mine - other
}

func creature(mall chan<- meeting, result chan<- int64, colour int64) {
	meetings := int64(0)
	in := make(chan meeting, 1)
	mall <- meeting{in, colour}
	for message := range in {
		if message.colour == report {
			result <- meetings
			return
		}
		was := colour
		colour = complement(colour, message.colour)
		meetings++
		mall <- meeting{in, colour}
		if message.other != nil {
			message.other <- meeting{nil, was}
		}
	}
}

func chameneos(meetings int64) (int64, int64) {
	const creatures = 100
	mall, result := make(chan meeting, creatures), make(chan int64, creatures)
	go func() {
		var waiting chan meeting
		for left := meetings; ; {
			who := <-mall
			if left == 0 {
				who.other <- meeting{nil, report}
			} else if waiting == nil {
				waiting = who.other
			} else {
				waiting <- who
				waiting = nil
				left--
			}
		}
	}()
	for i := int64(0); i < creatures; i++ {
		go creature(mall, result, i%3)
	}
	sum := int64(0)
	for i := 0; i < creatures; i++ {
		sum += <-result
	}
	return meetings, sum
}

// A question of big, or the answer to one, which names nobody.
type question struct {
	from chan question
	x    int64
}

func big(questions int64) (int64, int64) {
	const members = 100
	each := questions / members
	result := make(chan int64, members)
	all := make([]chan question, members)
	for i := range all {
		all[i] = make(chan question, members) // a question of each other one, and an answer
	}
	for i := range all {
		go func(in chan question, random uint64) {
			others := make([]chan question, 0, members)
			for _, other := range all {
				if other != in {
					others = append(others, other)
				}
			}
			left, right := each, int64(0)
			next := func() {
				if left == 0 {
					result <- right
					return
				}
				random ^= random << 13
				random ^= random >> 7
				random ^= random << 17
				others[random%uint64(len(others))] <- question{in, left}
			}
			next()
			for message := range in {
				if message.from != nil {
					message.from <- question{nil, message.x + 1}
					continue
				}
				if message.x == left+1 {
					right++
				}
				left--
				next()
			}
		}(all[i], uint64(i+1))
	}
	sum := int64(0)
	for range all {
		sum += <-result
	}
	return members * each, sum
}

func node(parent chan<- int64, first, leaves int64) {
	if leaves == 1 {
		parent <- first
		return
	}
	in := make(chan int64, 10)
	for i := int64(0); i < 10; i++ {
		go node(in, first+i*(leaves/10), leaves/10)
	}
	sum := int64(0)
	for i := 0; i < 10; i++ {
		sum += <-in
	}
	parent <- sum
}

func skynet(size int64) (int64, int64) {
	leaves := int64(10) // a power of ten
	for leaves*10 <= size {
		leaves *= 10
	}
	result := make(chan int64)
	go node(result, 0, leaves)
	return leaves + (leaves-1)/9, <-result
}

func cpu() float64 {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

func main() {
	benchmarks := map[string]func(int64) (int64, int64){
		"ping-pong": pingPong, "ring": ring, "fan-out": fanOut,
		"spawn": spawn, "create": create, "throughput": throughput, "counting": counting,
		"fan-in": fanIn, "chameneos": chameneos, "big": big, "skynet": skynet,
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
