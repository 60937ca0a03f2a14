/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupts. Source: include/linux/irqflags.h of Linux 6.12, as documented in Documentation/core-api. */
#ifndef _LINUX_IRQFLAGS_H
#define _LINUX_IRQFLAGS_H

#include <linux/compiler.h>

/* inert: an operation is never interrupted; what must not move over these does not */
#define local_irq_disable() barrier()
#define local_irq_enable() barrier()
#define local_irq_save(flags) do { (flags) = 0; barrier(); } while (0)
#define local_irq_restore(flags) do { (void)(flags); barrier(); } while (0)
#define raw_local_irq_disable() local_irq_disable()
#define raw_local_irq_enable() local_irq_enable()
#define raw_local_irq_save(flags) local_irq_save(flags)
#define raw_local_irq_restore(flags) local_irq_restore(flags)
#define local_save_flags(flags) ((void)((flags) = 0))
#define local_bh_disable() barrier()
#define local_bh_enable() barrier()
#define disable_irq(irq) ((void)(irq))
#define enable_irq(irq) ((void)(irq))

/* exact: where nothing interrupts, nothing is disabled */
#define irqs_disabled() 0
#define irqs_disabled_flags(flags) ((void)(flags), 0)

#endif
