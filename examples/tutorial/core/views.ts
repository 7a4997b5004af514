/** The view of the tutorial's first half: it answers whoever has proved who they are. */
import { apiView, isAuthenticated } from 'latchkey'

export const helloView = apiView({
  name: 'Hello',
  permissions: [isAuthenticated],
  get: () => ({ message: 'Hello, World!' }),
})
