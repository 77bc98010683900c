/** Stands in the place of a secret wherever one is shown. */
export const HIDDEN = '•••'
