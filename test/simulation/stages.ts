/** When something happens after all moves. A file of its own: mutations are read before anything of the product is loaded. */

/** In place of the number of a move: once the network healed and whatever was asked before has ended. */
export const AT_REST = 1000
/** Once the charters proposed then are in force, too. */
export const REFORMED = AT_REST + 1
