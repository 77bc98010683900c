/** What the content of a polled answer can be: a document, or else what is stored and compared as it is. */
export const OTHER_CONTENTS = ['text', 'bytes', 'empty'] as const
export type OtherContent = (typeof OTHER_CONTENTS)[number]
