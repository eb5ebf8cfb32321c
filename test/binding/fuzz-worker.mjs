/** Starts fuzz-child.ts in a worker thread, where tsx has to be registered inside of the thread. */
import { register } from 'tsx/esm/api'

register()
await import('./fuzz-child.ts')
