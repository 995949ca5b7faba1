ALTER TABLE `queries` ADD `seed` blob;--> statement-breakpoint
ALTER TABLE `queries` ADD `sum` text;--> statement-breakpoint
ALTER TABLE `queries` ADD `revealed_at` integer;