/* Types of collab-client. */

type Module = typeof import('quill-delta');

/* quill-delta is CommonJS: depending on the resolution its class is the default export or the default of that. */
type DeltaClass = Module extends { default: { default: infer Class extends abstract new (...args: never[]) => unknown } }
  ? Class
  : Module extends { default: infer Class extends abstract new (...args: never[]) => unknown } ? Class : never;

/** npm quill-delta's class; a document is a Delta of inserts only. */
export declare const Delta: DeltaClass;
export type Delta = InstanceType<DeltaClass>;

export type Attributes = Record<string, unknown>;

export interface Op {
  insert?: string | Record<string, unknown>;
  retain?: number | Record<string, unknown>;
  delete?: number;
  attributes?: Attributes;
}

/** A change: what Delta has, or its ops alone. */
export type Change = { ops: Op[] } | Op[];

export type Status = 'connecting' | 'connected' | 'synced' | 'disconnected';

export type Database = 'up' | 'away';

export interface StatusEvent {
  status: Status;
  /** Why a connection ended (WebSocket close code). */
  code?: number;
  reason?: string;
  /** Milliseconds until the next attempt; null where none follows. */
  retryIn?: number | null;
}

export interface ChangeEvent {
  /** What to apply to the content as it was before. */
  delta: Delta;
  /** `resync`: the content has come or was replaced, or a refused edit was taken back. */
  source: 'local' | 'remote' | 'resync';
  version: number | null;
  /** Whose edit it is; null where several people's came at once, or nobody's. */
  user: string | null | undefined;
  /** What edit() was given. */
  origin?: unknown;
}

export interface CommittedEvent {
  version: number;
  user: string;
  site: number;
  clock: number;
  /** When it was committed (ISO 8601); unknown for one's own. */
  at?: string;
  /** The change of the version before. */
  delta: Delta;
}

export interface ErrorEvent {
  /** A SQLSTATE (OT003: invalid operation, OT004: no such document, …), or `store`. */
  code: string;
  message: string;
  detail?: string;
  /** Edits that were not and never will be applied; they have been taken back. Each stands on the one before. */
  refused: Delta[];
  /** The same message goes again after so many milliseconds. */
  retryIn?: number;
  /** The history was replaced; what was pending has been carried over. */
  resync?: true;
  /** Edits that were saved and are in the new history no more: their clocks, first and last, and the content that had them. */
  lost?: { clocks: [number, number]; content: Delta };
}

export interface Cursor {
  position: number;
  selection: [number, number] | null;
}

export interface Person {
  session: string;
  user: string;
  name?: string;
  color?: string;
  self: boolean;
  /** Where they are in `content`; null for oneself and for those who show nothing. */
  cursor: Cursor | null;
}

export interface PresenceEvent {
  people: Person[];
  /** Sessions of those who moved by themselves. */
  cursors: string[];
}

export interface ClientEvents {
  status: StatusEvent;
  /** Whether the server can save; while it is `away` edits wait. */
  database: { database: Database };
  ready: { content: Delta };
  change: ChangeEvent;
  event: CommittedEvent;
  version: { version: number | null; event: string | null };
  pending: { count: number };
  saved: { version: number | null };
  presence: PresenceEvent;
  error: ErrorEvent;
}

/** Where a client keeps its queue of edits; see collab-client/store. */
export interface Store {
  acquire(key: string): Promise<Slot>;
}

export interface Slot {
  /** What was saved last, by whoever held the slot. */
  state: object | null;
  save(state: object): Promise<void>;
  remove(): Promise<void>;
  release(): void;
}

export interface ClientOptions {
  /** ws[s]://host[:port][/base]; http[s] is taken for ws[s]. */
  url: string;
  /** Id of the document. */
  doc: string;
  user?: string;
  /** Shown to the others: 64 and 32 bytes at most. */
  name?: string;
  color?: string;
  /** More parameters of the address. */
  params?: Record<string, string | number | null | undefined>;
  /** 1 … 2^53-1, drawn where it is absent. Of two inserts at one place the smaller site goes first. */
  site?: number;
  /** `edit`: every edit becomes a version; `composed`: what waits for an acknowledgement becomes one. */
  granularity?: 'edit' | 'composed';
  /** Edits per message, 1000 at most. */
  maxPieces?: number;
  /** In node before version 22: that of the package ws. */
  WebSocket?: new (url: string) => object;
  /** Milliseconds between attempts to connect: 1000 and 30000. */
  backoff?: { min?: number; max?: number };
  store?: Store | null;
  /** false: connect() is called later. */
  connect?: boolean;
}

export declare class CollabClient {
  constructor(options: ClientOptions);

  readonly doc: string;
  readonly user: string | undefined;
  readonly role: string | null;
  readonly session: string | null;
  readonly site: number;
  readonly status: Status;
  readonly database: Database;
  /** Connected, and everything that was missed is here. */
  readonly synced: boolean;
  /** There is content to show and to edit. */
  readonly ready: boolean;
  readonly content: Delta;
  readonly text: string;
  readonly length: number;
  /** The last version that has arrived. */
  readonly version: number | null;
  /** Edits that are not yet acknowledged. */
  readonly pendingCount: number;
  readonly presence: Person[];
  /** How many more are there whom the server does not list, because they are too many. */
  readonly othersCount: number;

  /**
   * Applies a change of `content`. Throws a TypeError or a RangeError, and changes nothing, where it is none or does
   * not fit.
   */
  edit(change: Change, options?: { origin?: unknown }): void;

  /** Shows the others where we are; null hides the cursor. */
  setCursor(position: number | null, selection?: [number, number] | null): void;

  /** Goes online, at once where the next attempt is being waited for. */
  connect(): Promise<void>;
  /** Goes offline until connect(); editing goes on. */
  disconnect(): void;
  /** Ends everything; resolves when what is pending is in the store, where there is one. */
  destroy(): Promise<void>;

  whenReady(): Promise<void>;
  whenSynced(): Promise<void>;
  /** Every edit made so far is a committed row. */
  whenSaved(): Promise<void>;
  /** Resolves when the condition holds; it is tried after everything that happens. */
  when(condition: () => boolean): Promise<void>;

  /** Returns the function that ends it. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void;
  once<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void;
  off<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): void;
}
