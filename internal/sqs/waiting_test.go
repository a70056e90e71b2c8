package sqs

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/internal/store/memory"
)

// bubble runs a test with a service on synctest's clock.
func bubble(t *testing.T, fn func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: memory.New(memory.Options{Partitions: 4})}
		w.s = New(testEnv(w.store, time.Now))
		fn(t, w)
	})
}

// poll starts a receive that waits up to 20 s; its answer and the seconds it took arrive on the channel.
func (w *world) poll(ctx context.Context, url string, most int) <-chan string {
	done := make(chan string, 1)
	start := time.Now()
	go func() {
		out, err := callWith(ctx, w.s, request("ReceiveMessage", object{"QueueUrl": url, "WaitTimeSeconds": 20, "MaxNumberOfMessages": most}))
		took := time.Since(start)
		if err != nil {
			done <- fmt.Sprintf("%v after %v", err, took)
			return
		}
		done <- fmt.Sprintf("[%s] after %v", bodies(messagesOf(out)), took)
	}()
	synctest.Wait()
	return done
}

func want(t *testing.T, done <-chan string, text string) {
	t.Helper()
	if got := <-done; got != text {
		t.Errorf("got %s, want %s", got, text)
	}
}

func TestLongPollWakesBySend(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		url := w.create("q", nil)
		done := w.poll(t.Context(), url, 1)
		time.Sleep(7 * time.Second)
		w.sendBody(url, "m")
		want(t, done, "[m] after 7s")
	})
}

func TestLongPollEndsEmpty(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		url := w.create("q", object{"ReceiveMessageWaitTimeSeconds": "3"})
		want(t, w.poll(t.Context(), url, 1), "[] after 20s")
		start := time.Now()
		w.expect(url, "")
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("the queue's own wait took %v", took)
		}
		if len(w.s.waiting.rooms) != 0 {
			t.Error("a receiver is still registered")
		}
	})
}

func TestLongPollWakesWhenDelayIsOver(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		url := w.create("q", nil)
		w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "before", "DelaySeconds": 5})
		done := w.poll(t.Context(), url, 1)
		want(t, done, "[before] after 5s")
		done = w.poll(t.Context(), url, 1)
		time.Sleep(time.Second)
		w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "meanwhile", "DelaySeconds": 4})
		w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "sooner", "DelaySeconds": 2})
		want(t, done, "[sooner] after 3s")
	})
}

func TestLongPollWakesByVisibility(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		url := w.create("q", object{"VisibilityTimeout": "8"})
		w.sendBody(url, "m")
		w.expect(url, "m")
		done := w.poll(t.Context(), url, 1)
		want(t, done, "[m] after 8s")

		handle := w.poll(t.Context(), url, 1)
		want(t, handle, "[m] after 8s")
		time.Sleep(8 * time.Second)
		got := w.expect(url, "m")[0]["ReceiptHandle"]
		done = w.poll(t.Context(), url, 1)
		time.Sleep(time.Second)
		w.do("ChangeMessageVisibility", object{"QueueUrl": url, "ReceiptHandle": got, "VisibilityTimeout": 3})
		want(t, done, "[m] after 4s")
		time.Sleep(8 * time.Second)
		got = w.expect(url, "m")[0]["ReceiptHandle"]
		done = w.poll(t.Context(), url, 1)
		w.do("ChangeMessageVisibility", object{"QueueUrl": url, "ReceiptHandle": got, "VisibilityTimeout": 0})
		want(t, done, "[m] after 0s")
	})
}

func TestEachMessageWakesOneReceiver(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		url := w.create("q", nil)
		var polls []<-chan string
		for range 5 {
			polls = append(polls, w.poll(t.Context(), url, 1))
		}
		time.Sleep(time.Second)
		var entries []object
		for i := range 3 {
			entries = append(entries, object{"Id": fmt.Sprint(i), "MessageBody": fmt.Sprint(i)})
		}
		w.do("SendMessageBatch", object{"QueueUrl": url, "Entries": entries})
		var got []string
		for _, p := range polls {
			got = append(got, <-p)
		}
		sort.Strings(got)
		if s := strings.Join(got, "; "); s != "[0] after 1s; [1] after 1s; [2] after 1s; [] after 20s; [] after 20s" {
			t.Error(s)
		}
	})
}

func TestReceiverThatLeavesHandsItsWakeUpOn(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		url := w.create("q", nil)
		a := address{account, region, "q"}
		quitter := w.s.waiting.join(a) // woken first, takes nothing
		done := w.poll(t.Context(), url, 1)
		w.sendBody(url, "m")
		w.s.waiting.leave(a, quitter)
		want(t, done, "[m] after 0s")
	})
}

func TestLongPollEndsWithCallerQueueAndServer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		url := w.create("q", nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := w.poll(ctx, url, 1)
		cancel()
		want(t, done, "context canceled after 0s")
		done = w.poll(t.Context(), url, 1)
		w.do("DeleteQueue", object{"QueueUrl": url})
		want(t, done, "QueueDoesNotExist: The specified queue does not exist. after 0s")
		w.create("q", nil)
		done = w.poll(t.Context(), url, 1)
		w.s.Close()
		want(t, done, "[] after 0s")
		want(t, w.poll(t.Context(), url, 1), "[] after 0s")
	})
}

func TestConcurrentReceiversShareMessages(t *testing.T) {
	w := &world{t: t, store: memory.New(memory.Options{Partitions: 4})}
	w.s = New(testEnv(w.store, time.Now))
	url := w.create("q", object{"VisibilityTimeout": "3600"})
	const senders, receivers, each = 4, 8, 100
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	got := map[string]int{}
	var sending, receiving sync.WaitGroup
	for r := range receivers {
		receiving.Go(func() {
			for {
				out, err := callWith(ctx, w.s, request("ReceiveMessage", object{"QueueUrl": url, "WaitTimeSeconds": 20, "MaxNumberOfMessages": r%3 + 1}))
				if errors.Is(err, context.Canceled) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, m := range messagesOf(out) {
					got[m["Body"].(string)]++
				}
				if len(got) == senders*each {
					stop()
				}
				mu.Unlock()
			}
		})
	}
	for s := range senders {
		sending.Go(func() {
			for i := range each {
				if _, err := call(w.s, request("SendMessage", object{"QueueUrl": url, "MessageBody": fmt.Sprint(s, "-", i)})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	receiving.Wait()
	for b, n := range got {
		if n != 1 {
			t.Errorf("message %s was received %d times", b, n)
		}
	}
}
