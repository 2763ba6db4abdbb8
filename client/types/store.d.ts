/* Types of collab-client/store. */
import type { Slot, Store } from './index.js';

/** Keeps queues as long as the object lives. */
export declare class MemoryStore implements Store {
  acquire(key: string): Promise<Slot>;
}

/** Keeps queues in IndexedDB, one owner each by Web Locks: they outlive the page. */
export declare class BrowserStore implements Store {
  constructor(options?: { indexedDB?: object; locks?: object });
  acquire(key: string): Promise<Slot>;
}
