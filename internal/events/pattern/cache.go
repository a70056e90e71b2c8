package pattern

import "sync"

// cacheMost bounds the patterns of a Cache. Beyond it all are let go: who has so many tests many that are used once.
const cacheMost = 4096

// Cache keeps compiled patterns. The zero value is empty; its methods are safe for concurrent use.
type Cache[K comparable] struct {
	mu    sync.RWMutex
	known map[K]*Pattern
}

// Get returns a pattern that was put, nil if there is none.
func (c *Cache[K]) Get(key K) *Pattern {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.known[key]
}

// Put keeps a pattern.
func (c *Cache[K]) Put(key K, p *Pattern) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= cacheMost {
		c.known = map[K]*Pattern{}
	}
	c.known[key] = p
}
