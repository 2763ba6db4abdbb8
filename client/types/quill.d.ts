/* Types of collab-client/quill. */
import type { CollabClient } from './index.js';

/** What of a Quill 2 editor is used. */
export interface Editor {
  getModule(name: string): unknown;
  enable(enabled?: boolean): void;
  disable(): void;
  getLength(): number;
}

export interface BindingOptions {
  /** Shows the document and takes no input. */
  readOnly?: boolean;
}

export interface QuillBinding {
  /** Ends the binding; the editor keeps its content and takes no more input. */
  unbind(): void;
}

/**
 * Shows the document of `client` in `quill` and makes edits of what is typed there. The editor is disabled until the document
 * has come. The others' cursors are shown where the editor has quill-cursors as its module `cursors`.
 */
export declare function bindQuill(client: CollabClient, quill: Editor, options?: BindingOptions): QuillBinding;
