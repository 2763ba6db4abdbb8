/* collab-client: edit documents of collab together with others. */
export { CollabClient } from './client.js';
export { Delta } from './delta.js';
