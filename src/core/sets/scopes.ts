/** The scopes of keys in ascending order: each includes the ones before it. The values describe what they allow. */
export const SCOPE = {
  read: 'view everything',
  operate: 'read, plus change streams, incidents, rules and silences',
  admin: 'operate, plus manage keys, channels, queues and bulk removal',
} as const satisfies Record<string, string>

export type Scope = keyof typeof SCOPE
export const SCOPES = Object.keys(SCOPE) as Scope[]
