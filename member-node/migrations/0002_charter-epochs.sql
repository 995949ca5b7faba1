CREATE TABLE `charter_signatures` (
	`charter` text PRIMARY KEY NOT NULL,
	`signatures` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `confirmations` (
	`previous` text PRIMARY KEY NOT NULL,
	`charter` text NOT NULL,
	`compact` text NOT NULL
);
--> statement-breakpoint
PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_charters` (
	`id` text PRIMARY KEY NOT NULL,
	`epoch` integer NOT NULL,
	`compact` text NOT NULL,
	`consent` text,
	`in_force_at` integer
);
--> statement-breakpoint
INSERT INTO `__new_charters`("id", "epoch", "compact", "consent", "in_force_at") SELECT "id", "epoch", "compact", "consent", "in_force_at" FROM `charters`;--> statement-breakpoint
DROP TABLE `charters`;--> statement-breakpoint
ALTER TABLE `__new_charters` RENAME TO `charters`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE UNIQUE INDEX `charters_one_in_force` ON `charters` (`epoch`) WHERE in_force_at IS NOT NULL;