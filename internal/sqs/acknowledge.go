package sqs

import "github.com/newel-run/newel/internal/service"

// acknowledgeEntry names a received message: DeleteMessage's and ChangeMessageVisibility's input, or a batch's entry.
type acknowledgeEntry struct {
	ID                string `json:"Id"`
	ReceiptHandle     string
	VisibilityTimeout *int64
}

func entryID(e *acknowledgeEntry) string { return e.ID }

type acknowledged struct {
	ID string `json:"Id"`
}

// remove deletes a message that was received. In a standard queue any handle of the message will do, not only the latest;
// in a FIFO queue the message must still be in flight under it. A message that is gone, or on its way to the dead-letter
// queue, is left alone.
func (b *box) remove(e *acknowledgeEntry) (acknowledged, error) {
	h, err := b.parseHandle(e.ReceiptHandle)
	if err != nil {
		return acknowledged{}, err
	}
	st, err := b.state(h.id)
	if err != nil || st == nil || st.where == rowOutbox {
		return acknowledged{e.ID}, err
	}
	if b.isFIFO() && (st.received != h.received || st.where != rowWaiting || st.visibleAt <= b.now) {
		return acknowledged{}, invalidValue(e.ReceiptHandle, "ReceiptHandle", "The receipt handle has expired.")
	}
	b.drop(h.id, st)
	b.removed++
	return acknowledged{e.ID}, nil
}

// changeTimeout sets when a message in flight becomes visible again.
func (b *box) changeTimeout(e *acknowledgeEntry) (acknowledged, error) {
	out := acknowledged{e.ID}
	switch t := e.VisibilityTimeout; {
	case t == nil:
		return out, missingParameter("VisibilityTimeout")
	case *t < 0 || *t > visibilityMax:
		return out, invalidValue(*t, "VisibilityTimeout", "VisibilityTimeout must be an integer between 0 and 43200.")
	}
	h, err := b.parseHandle(e.ReceiptHandle)
	if err != nil {
		return out, err
	}
	st, err := b.state(h.id)
	if err != nil {
		return out, err
	}
	if st == nil || st.where == rowOutbox || st.received != h.received {
		return out, invalidValue(e.ReceiptHandle, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change.")
	}
	if st.where != rowWaiting || st.visibleAt <= b.now {
		return out, wire("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight",
			"Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", e.ReceiptHandle)
	}
	until := b.now + *e.VisibilityTimeout*1000
	if until > st.last+visibilityMax*1000 {
		return out, invalidValue(*e.VisibilityTimeout, "VisibilityTimeout", "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].")
	}
	b.leave(h.id, st)
	if st.visibleAt = until; until == b.now {
		st.where, st.visibleAt = rowReady, 0
	}
	b.enter(h.id, st)
	return out, nil
}

func (s *Service) deleteMessage(c *service.Context, b *box) (any, error) {
	var in acknowledgeEntry
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	_, err := b.remove(&in)
	return nil, err
}

func (s *Service) changeVisibility(c *service.Context, b *box) (any, error) {
	var in acknowledgeEntry
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	_, err := b.changeTimeout(&in)
	return nil, err
}

func (s *Service) deleteBatch(c *service.Context, b *box) (any, error) {
	var in struct{ Entries []acknowledgeEntry }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return batch(in.Entries, "DeleteMessageBatchRequestEntry", entryID, b.remove)
}

func (s *Service) changeVisibilityBatch(c *service.Context, b *box) (any, error) {
	var in struct{ Entries []acknowledgeEntry }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return batch(in.Entries, "ChangeMessageVisibilityBatchRequestEntry", entryID, b.changeTimeout)
}
