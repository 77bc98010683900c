/** Names of the hub's topics, in one place so that publishers and subscribers agree. */

/** Live entries of a stream, as the API shows them. */
export const entriesTopic = (streamId: string) => `entries:${streamId}`
/** Fragments for lists of streams that show exactly these rows. */
export const listPageTopic = (rows: string) => `page:streams:${rows}`
/** Fragments for the page of a stream. */
export const streamPageTopic = (streamId: string) => `page:stream:${streamId}`
/** The same for pages with this filter of the log. */
export const filteredPageTopic = (streamId: string, filter: string) => `page:stream:${streamId}?${filter}`
/** Fragments for any other page: by address, and by name if its content depends on the reader. */
export const viewTopic = (address: string, name = '') => `page:view:${name}:${address}`
/** What pages show; changes of streams are also published one by one. */
export type Subject = 'streams' | 'channels' | 'incidents' | 'silences'

/** Messages for subscribers of a proxied stream: its changes, or the whole document with each of them. */
export const proxyTopic = (streamId: string, content: 'patches' | 'documents') =>
  `proxy:${content}:${streamId}`
