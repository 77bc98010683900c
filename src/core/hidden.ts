/** Placeholder for secrets wherever they would be shown. */
export const HIDDEN = '•••'
