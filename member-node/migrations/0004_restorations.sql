CREATE TABLE `recalled_answers` (
	`round` text PRIMARY KEY NOT NULL,
	`query_compact` text NOT NULL,
	`manifest` text NOT NULL,
	`answered_by` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `restorations` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at` integer NOT NULL,
	`takes_part_from` integer NOT NULL,
	`history` integer NOT NULL,
	`log_size` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `prekeys` ADD `is_lost` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `recounts` ADD `opens` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `rounds` ADD `opens` integer DEFAULT 0 NOT NULL;