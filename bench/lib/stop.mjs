/** An error whose message is all that the caller of `npm run bench` needs to read: no stack is printed. */
export class Stop extends Error {}
