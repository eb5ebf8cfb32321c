/**
 * Starts prepare-worker.ts where the sources run as they are (tests, tsx): Node 20 runs TypeScript only with tsx, which
 * has to be registered inside the thread. The compiled package starts prepare-worker.js and has no use for this file.
 */

import { register } from 'tsx/esm/api'

register()
await import('./prepare-worker.ts')
