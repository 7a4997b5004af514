/** The tutorial's first view: it answers whoever has proved who they are. */
import { apiView, isAuthenticated } from 'latchkey'

export const HelloView = apiView({
  name: 'Hello',
  permissions: [isAuthenticated],
  get: () => ({ message: 'Hello, World!' }),
})
