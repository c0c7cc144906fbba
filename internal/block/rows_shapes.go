package block

import "context"

// fetchShapes finds out which columns the next tasks need, if few rows of many
// are wanted: most columns then have nothing for them.
func (r *rowReader) fetchShapes(ctx context.Context) error {
	if !r.wanted.Attributes || r.spans.absent && r.derived.absent || !sparse(r.tasks, r.group.rows()) {
		r.shaped = len(r.tasks)
		return nil
	}
	var wanted []extent
	var size int64
	need := make([]bool, len(r.reader.dir.columns))
	for i := range r.tasks {
		if size > windowBytes {
			break
		}
		for _, a := range [...]*assembler{&r.spans, &r.derived} {
			if c := r.fixed(a.shape); !a.absent {
				need[c] = true
				r.eachRef(c, &r.tasks[i], func(ref pageRef) {
					wanted = append(wanted, ref.extent())
					size += int64(ref.size)
				})
			}
		}
		r.shaped++
	}
	if err := r.fetchWith(ctx, wanted, need); err != nil {
		return err
	}
	for i := range r.tasks[:r.shaped] {
		t := &r.tasks[i]
		t.used = []int{}
		for _, a := range [...]*assembler{&r.spans, &r.derived} {
			if a.absent {
				continue
			}
			if err := a.loadShapes(r.groupReader, t); err != nil {
				return err
			}
			t.used = append(t.used, a.inUse...)
		}
	}
	return nil
}

// sparse reports whether tasks are of few of the rows.
func sparse(tasks []task, rows int) bool {
	n := 0
	for i := range tasks {
		n += len(tasks[i].rows)
	}
	return 8*n < rows
}
