/** What `ops/build.ts` puts into the executable: importing it is what puts it there. */
declare module 'carried-files' {}
